"""Exporters of mobile-nelf, found through the entry-point group `mobile_nelf.exporters`."""
