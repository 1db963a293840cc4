"""What happens behind the queue: the worker, the scheduler, and how jobs get from one to the other."""
