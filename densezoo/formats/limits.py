"""How much memory and time a checkpoint file may take: the limits that several readers share, each with its reason.

Files are untrusted. Limits are a few times what the largest published network needs, DenseNet-264 (k=48) with an
optimiser's state. The limits of one reader are in its module.
"""

#: Bytes that are read of one file; the largest network in float64, or with both moments of Adam, takes under 1 GiB.
MAX_READ = 2 << 30
#: Tensors of a checkpoint may take this many times its file (zip members are deflated, tensors can share storages).
MAX_EXPANSION, EXPANSION_SLACK = 3, 16 << 20
#: Bytes of tensors that are one number, repeated: the 8 million weights of 121 layers take 32 MB.
MAX_REPEATED = 48 << 20
MAX_TENSORS = 16_000  # of a file; the largest network with both moments of Adam and averaged weights has 7,000
MAX_NAMES = 2 << 20  # letters of all names; those of the largest network and its optimiser have 0.4 million
MAX_DIMENSIONS = 16  # of a tensor; networks have 4
MAX_STEPS = 10_000  # of a computation; an unoptimised one of the largest network has 4,000
MAX_JSON = 8 << 20  # bytes of one text; the graph of a network of 121 layers in torch.export's takes 1 MB
