"""Jobs of Azure Machine Learning that really run: one container of this machine's Docker daemon for each node.

What is done as the service documents it: statuses and their order, logs, run history, the variables of a job's
processes, the mounts of its data, the rights that its compute needs, cancellation, time limits, pre-emption.

Left out, and refused or told where it is met: images that the service builds (a build context, or a Conda file), jobs
of other types than Command, serverless compute. Left out without a word: services of a job, ``dockerArgs``, GPUs,
the time in which nodes come and idle ones stay, artifacts that MLflow logs (which run history keeps, in Azure), and
``mpirun`` itself: the processes of a job of type Mpi are started one by one, with the variables that Open MPI sets.

Where no public document tells what the service does or says, ours is a guess, and its docstring says so.
"""
