"""Writes joblib's files: arrays of several types between other objects, and a last object that a pickle would import.

usage: make.py [FOLDER]     (joblib 1.6, numpy)
"""
import fractions
import os
import sys

import joblib
import numpy as np

here = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
last = fractions.Fraction(1, 3)
records = np.zeros(3, dtype=[("a", "<f4"), ("b", "<i2")])
arrays = {"f4": np.arange(6, dtype="<f4").reshape(2, 3), "u": np.array(["ab", "c"]), "b": np.array([True, False]),
          "empty": np.zeros((0, 3)), "fortran": np.asfortranarray(np.arange(4.0).reshape(2, 2)), "none": np.float32(2),
          "record": records, "zero": np.array(5, dtype="<i8"), "date": np.array(["2020-01-01"], dtype="M8[D]")}
objects = {"o": np.array([{"a": np.arange(3)}, None, np.array(["x", 1], dtype=object)], dtype=object),
           "r": np.array([(1, [2])], dtype=[("n", "<i4"), ("o", "O")])}
joblib.dump([arrays, last], os.path.join(here, "arrays.joblib"))
joblib.dump([objects, last], os.path.join(here, "objects.joblib"))
joblib.dump([arrays, last], os.path.join(here, "arrays.joblib.z"), compress=("zlib", 3))
joblib.dump([arrays, last], os.path.join(here, "arrays.joblib.gz"), compress=("gzip", 3))
joblib.dump([arrays, last], os.path.join(here, "arrays.joblib.xz"), compress=("xz", 3))
