"""Writes plain.pb with TensorFlow: the graph of a saved model that does nothing but compute, save and load.

usage: make.py [FOLDER]     (tensorflow 2.21)
"""
import os
import shutil
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf

here = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))


class Model(tf.Module):
    def __init__(self):
        self.v = tf.Variable([1.0, 2.0])

    @tf.function(input_signature=[tf.TensorSpec([2], tf.float32)])
    def __call__(self, x):
        return x * self.v


with tempfile.TemporaryDirectory() as t:
    tf.saved_model.save(Model(), t)
    shutil.copy(os.path.join(t, "saved_model.pb"), os.path.join(here, "plain.pb"))
