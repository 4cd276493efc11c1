"""Caffe's caffemodel and prototxt."""
