"""The drop-in: the scheduler's RPC, as the platform's own client calls it (C §5.1, §5.2; M27)."""
