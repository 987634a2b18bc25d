// A sign-in that ends.
