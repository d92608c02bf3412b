"""What comes in from files: experiments, libraries, tasks, official data, datasets, prices."""
