"""Names, configs and objects of Keras; knows nothing of the network of this package."""
