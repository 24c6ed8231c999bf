"""The manners of the adapter that ships: what it is taught, made from question sets and plain text.

Reading numbered passages, declining what they do not hold, answering briefly without any.
"""
