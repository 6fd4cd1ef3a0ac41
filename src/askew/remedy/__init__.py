"""Reversible steps that remove a finding."""
