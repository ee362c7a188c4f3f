"""Modules that are called as lrp_toolbox's Python modules are: images (N, H, W, C), W and B, a rule preset by name."""

import numpy as np


class Module:
    def set_lrp_parameters(self, lrp_var=None, param=None):
        self.lrp_var, self.param = lrp_var, param


class Linear(Module):
    """W (m, n), B (n,)"""

    def __init__(self, m, n):
        self.W, self.B = np.random.normal(0, m**-.5, [m, n]), np.zeros([n])   # noqa: NPY002 - as lrp_toolbox does

    def forward(self, X, lrp_aware=False):
        self.X = X
        return np.dot(X, self.W) + self.B

    def lrp(self, R, lrp_var=None, param=None):
        var, a, w = self.lrp_var, self.X[:, :, None], self.W[None]
        if var == "alphabeta":
            shares = [(self.param, np.maximum(a * w, 0), np.maximum(self.B, 0), 1e-16),
                      (1 - self.param, np.minimum(a * w, 0), np.minimum(self.B, 0), -1e-16)]
        else:
            z = {"flat": np.ones_like(a * w), "ww": w**2 + 0 * a}.get(var, a * w)
            total = z.sum(axis=1) + (self.B if var in ("simple", "epsilon") else 0)
            epsilon = {"simple": 1e-16, "epsilon": self.param}.get(var, 0)
            shares = [(1, z, total - z.sum(axis=1), epsilon * np.where(total >= 0, 1, -1))]
        return sum(part * (z * (R / (z.sum(axis=1) + b + epsilon))[:, None]).sum(axis=2)
                   for part, z, b, epsilon in shares)


class Windows(Module):
    """Something on every window of an image, with no padding."""

    def forward(self, X, lrp_aware=False):
        (h, w), (s, t), (N, H, W, _) = self.size, self.stride, X.shape
        self.X = X
        self.at = [(v, u, slice(v * s, v * s + h), slice(u * t, u * t + w))
                   for v in range((H - h) // s + 1) for u in range((W - w) // t + 1)]
        outputs = [self.window(X[:, rows, columns]) for _, _, rows, columns in self.at]
        return np.stack(outputs, axis=1).reshape(N, (H - h) // s + 1, (W - w) // t + 1, -1)

    def lrp(self, R, lrp_var=None, param=None):
        out = np.zeros_like(self.X, dtype=np.float)   # noqa: NPY001 - what lrp_toolbox asks for
        for v, u, rows, columns in self.at:
            out[:, rows, columns] += self.back(self.X[:, rows, columns], R[:, v, u])
        return out


class Convolution(Windows):
    """W (h, w, d, n), B (n,)"""

    def __init__(self, filtersize=(5, 5, 3, 32), stride=(2, 2)):
        self.size, self.stride = filtersize[:2], stride
        self.W = np.random.normal(0, np.prod(filtersize[:3])**-.5, filtersize)   # noqa: NPY002 - as lrp_toolbox does
        self.B = np.zeros([filtersize[3]])

    def dense(self):
        dense = Linear(1, 1)
        dense.W, dense.B = self.W.reshape(-1, self.W.shape[3]), self.B
        dense.set_lrp_parameters(getattr(self, "lrp_var", None), getattr(self, "param", None))
        return dense

    def window(self, X):
        return self.dense().forward(X.reshape(len(X), -1))

    def back(self, X, R):
        dense = self.dense()
        dense.forward(X.reshape(len(X), -1))
        return dense.lrp(R).reshape(X.shape)


class SumPool(Windows):
    def __init__(self, pool=(2, 2), stride=(2, 2)):
        self.size, self.stride = pool, stride

    def window(self, X):
        return X.sum(axis=(1, 2)) / np.sqrt(X.shape[1] * X.shape[2])

    def back(self, X, R):
        X = np.ones_like(X) if self.lrp_var in ("flat", "ww") else X
        total = X.sum(axis=(1, 2), keepdims=True)
        epsilon = {"simple": 1e-12, "epsilon": self.param}.get(self.lrp_var, 0)
        return X / (total + epsilon * np.where(total >= 0, 1, -1)) * R[:, None, None]


class MaxPool(SumPool):
    def window(self, X):
        return X.max(axis=(1, 2))

    def back(self, X, R):
        wins = X.max(axis=(1, 2), keepdims=True) == X
        return wins / wins.sum(axis=(1, 2), keepdims=True) * R[:, None, None]


class Rect(Module):
    def forward(self, X, lrp_aware=False):
        return np.maximum(0, X)

    def lrp(self, R, lrp_var=None, param=None):
        return R


class Tanh(Rect):
    def forward(self, X, lrp_aware=False):
        return np.tanh(X)


class Flatten(Module):
    def forward(self, X, lrp_aware=False):
        self.shape = X.shape
        return X.reshape(len(X), -1)

    def lrp(self, R, lrp_var=None, param=None):
        return R.reshape(self.shape)
