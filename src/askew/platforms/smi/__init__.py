"""What nvidia-smi, rocm-smi and their like print, captured or pasted, to facts about the hardware."""
