"""The decision learns at night: questions are answered on both routes and graded, and a new fit goes through a gate.

Read `night.py` first.
"""
