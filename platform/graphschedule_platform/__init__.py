"""The AutoGPT Platform side: its tables, its rules for adding a graph execution, its queue, and our slot ledger.

Facts about the platform are cited as C §n, the sections of the platform contract that this room implements.
"""
