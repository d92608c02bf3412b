"""From tasks and arms to the exact messages of every trial. Pure: no files, no clock, no network."""
