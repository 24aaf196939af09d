"""Starting the service, whoever starts it: the database first, then one migration, then the workers."""
