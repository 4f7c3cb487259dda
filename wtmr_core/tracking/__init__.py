"""People in a video: who is where, what they do, when and for how long."""
