"""Idle actors that fall asleep by themselves."""
