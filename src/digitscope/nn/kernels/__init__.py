"""The mathematics of the layers in faster forms. The definitions are in the layers; tests hold both together."""
