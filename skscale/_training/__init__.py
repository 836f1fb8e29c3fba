"""From arrays, a spec and two configs to trained networks.

Who owns which argument, from `train` down to the compiled program:

`Dataset` owns the rows: normalized inputs, targets and weights as tensors in the training
precision, padded to one of few sizes. It is made once in a fit, and all networks of all folds and
points read it; none of them owns a row, they have row numbers.

`NetworkRun` owns what is of one network alone: its architecture, the numbers of its rows, its
initial weights, the seed of its order, its strength and weight decay, and the state of an earlier
training. Networks of one architecture train along one axis.

`TrainingConfig` owns the course of the training: epochs and the part of them that is done at once,
batch size, learning rate and its decay, precision. It is the same for all runs of a call.

`CompileConfig` owns what `compile` takes in Keras: the loss, the optimizer, and how the scale is
updated. `NetworkSpec` owns the architecture: shapes, activations, regularizers and constraints. It
has the features alone: `Stack` adds the columns of zeros that the dataset has behind them, and
takes them off again.

Compiled in are the spec but for its initializers, the compile config, the number of stacked
networks, the precision, the number of padded rows and the shape of a batch: a change of any of
them is another program.
Passed at run time are the tensors of the dataset, row numbers, weights and slots, learning rates,
strengths, decays, seeds, the number of features that count, the first step and the number of
steps: they change from fit to fit, and compile nothing.

The files, in the order in which a training passes them: `defaults` resolves every "auto", with
`steps` for batches and epochs and `path_points` for the path, `dataset` copies the rows, `train`
makes stacks and runs them on all cores, or `distributed` does so elsewhere, `loop` does one of them
from call to call, with `batches` for its row numbers, `stack` for its program, `evaluate` for its
outputs and `history` for its losses. Weights come back as NumPy arrays, in `TrainedNetwork`.
"""
