"""The compiled core: arrays in, arrays out. See README.md in this folder."""
