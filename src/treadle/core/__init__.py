"""Values everything else is made of: keys, metadata, partitions, time, the codec. Pure."""
