"""A web server that shows people mixed images, and stores judgements that train the next model."""
