"""The platform's rules for adding an execution, as functions over facts (C §2.1-2.4, corrected by C §2.12)."""
