"""What is claimed of fastmlp, measured beside other systems and beside itself: a file for each section of the table."""
