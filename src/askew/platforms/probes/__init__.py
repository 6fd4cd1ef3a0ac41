"""What the commands of ``collectors.probes`` print inside a container, to facts about it."""
