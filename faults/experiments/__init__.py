"""The experiments, one module each: what is done to the system, the marks, and the control that must miss one."""
