"""`make chaos`: writers on a real cluster, faults among them, a checker that compares what stands at the end."""
