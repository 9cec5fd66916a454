"""The mathematics of the layers in faster forms. The definitions are in the layers, and tests hold both together."""
