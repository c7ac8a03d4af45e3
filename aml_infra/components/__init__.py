"""What users compose programs from, one module per component.

A module is admitted here if it defines a component, or something that only components need. Provider SDKs are
imported here and nowhere else.
"""
