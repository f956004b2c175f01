"""Downloads: the file that grows, the sources that it comes from, and the bytes that its readers are sent."""
