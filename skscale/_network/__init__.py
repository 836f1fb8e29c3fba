"""What the network is: a JSON-able spec, made from parameters and turned into Keras layers."""
