"""The vocabulary of GraphSchedule: spec and status models, cron and time, slots, outcomes, the run payload.

Everything here is pure: no I/O, no clock, nothing of ours imported. The modules that a runner needs
(`cron`, `slots`, `outcomes`, `payload`, `labels`) use the standard library only, so that a pod starts fast.
"""
