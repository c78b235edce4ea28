"""`hubserve bench`: what a model server does under load, measured from outside."""
