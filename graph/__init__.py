"""Question -> answer: the LangGraph agent, its nodes, the routing decision and the prompts.

Finds passages through `index`, asks the model through `tandem.models`; never sees a database driver.
May be imported by `bots`, `workers`, `tandem.evals`, `tandem.tuning` and `tandem.cli`.
"""
