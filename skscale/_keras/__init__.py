"""Names, configs and objects of Keras, for any network."""
