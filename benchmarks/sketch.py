"""VGG-16 with alpha-beta or epsilon in as little NumPy as gives the same relevance: what the fastest could take.

One image, 3 x 3 windows, 2 x 2 pooling; no rules, no ledger, no checks, inputs of a convolution but the first not
negative. Every convolution gathers windows once, has one product of the stacked weights, one back, and a fold.
"""

import numpy as np

CHUNK, BLOCK = 1 << 21, 1 << 16   # as in lrp_ref/layers/conv.py and linear.py


def sketch(network, x, rule):
    """R_0 of the top score: alpha-beta is AlphaBeta(2, 1), epsilon Epsilon(1e-6)."""
    xs = [x[0]]
    for _, layer in network:
        xs.append(FORWARDS[type(layer).__name__](layer, xs[-1]))
    R, top = np.zeros_like(xs[-1]), xs[-1].argmax()
    R[top] = xs[-1][top]
    for n, ((_, layer), a, z) in reversed(list(enumerate(zip(network, xs, xs[1:])))):
        kind = type(layer).__name__
        if kind == "Conv2D":
            R = convolution(a, layer.weight, layer.bias, z, R, rule, both=n == 0)
        elif kind == "Linear":
            R = dense(a, layer.weight, layer.bias, z, R, rule)
        elif kind == "MaxPool":
            R = unpool(a, z, R)
        elif kind == "Flatten":
            R = R.reshape(a.shape)
    return R[None]


def forward(layer, a):
    w, rows = layer.weight.reshape(len(layer.weight), -1), strips(a, layer.weight)
    z, padded = np.empty((len(w), *a.shape[1:]), a.dtype), frame(a)
    for some in rows:
        z[:, some] = (w @ gather(padded, some)).reshape(len(w), -1, a.shape[2]) + layer.bias[:, None, None]
    return z


def pool(layer, a):
    return np.maximum(np.maximum(a[:, ::2, ::2], a[:, ::2, 1::2]), np.maximum(a[:, 1::2, ::2], a[:, 1::2, 1::2]))


FORWARDS = {"Conv2D": forward, "MaxPool": pool, "ReLU": lambda layer, a: np.maximum(a, a.dtype.type(0)),
            "Flatten": lambda layer, a: a.reshape(-1), "Linear": lambda layer, a: a @ layer.weight + layer.bias}


def convolution(a, weight, bias, z, R, rule, both):
    w, width = weight.reshape(len(weight), -1), a.shape[2]
    stack, b = (parts(w), parts(bias)[:, None]) if rule == "alpha-beta" else (w, bias[:, None])
    inputs = [np.maximum(a, a.dtype.type(0)), np.minimum(a, a.dtype.type(0))] if both else [a]
    inputs = inputs if rule == "alpha-beta" else [a]
    padded = [frame(part) for part in inputs]
    outs = [np.zeros_like(part) for part in padded]
    for some in strips(a, weight):
        if rule == "alpha-beta":
            sums = [stack @ gather(part, some) for part in padded]   # of a negative input w- makes the positive part
            s = shares(sums[0] + b if len(sums) == 1 else sums[0] + swapped(sums[1]) + b, R[:, some])
        else:
            s = stabilised(z[:, some], R[:, some]).reshape(len(w), -1)
        for n, out in enumerate(outs):
            back = (stack.T @ (swapped(s) if n else s)).reshape(len(a), 9, -1, width)
            for tap in range(9):
                out[:, some.start + tap // 3 : some.stop + tap // 3, tap % 3 : tap % 3 + width] += back[:, tap]
    return sum(out[:, 1:-1, 1:-1] * part for out, part in zip(outs, inputs))


def dense(a, w, b, z, R, rule):
    if rule == "epsilon":
        return a * (w @ stabilised(z, R))
    zp, zn = np.split(parts(b), 2)
    rows = max(1, BLOCK // w.shape[1])
    blocks = [slice(i, i + rows) for i in range(0, len(w), rows)]
    for some in blocks:
        zp = zp + a[some] @ np.maximum(w[some], w.dtype.type(0))
        zn = zn + a[some] @ np.minimum(w[some], w.dtype.type(0))
    sp, sn = np.split(shares(np.concatenate([zp, zn])[:, None], R)[:, 0], 2)
    out = np.empty_like(a)
    for some in blocks:
        out[some] = np.maximum(w[some], w.dtype.type(0)) @ sp + np.minimum(w[some], w.dtype.type(0)) @ sn
    return out * a


def unpool(a, z, R):
    out = np.empty_like(a)
    corners = [(slice(None), slice(i, None, 2), slice(j, None, 2)) for i in (0, 1) for j in (0, 1)]
    wins = [a[corner] == z for corner in corners]
    s = R / sum(win.astype(a.dtype) for win in wins)
    for corner, win in zip(corners, wins):
        np.multiply(win, s, out=out[corner])
    return out


def shares(z, R):
    """2 R / z+ and -R / z-, z holding first all z+ and then all z-; a share without its sign goes nowhere."""
    z[z == 0] = np.inf
    s, half, R = np.empty_like(z), len(z) // 2, R.reshape(len(z) // 2, -1)
    np.divide(2 * R, z[:half], out=s[:half])
    np.divide(-R, z[half:], out=s[half:])
    return s


def stabilised(z, R):
    return R / (z + np.where(z < 0, z.dtype.type(-1e-6), z.dtype.type(1e-6)))


def parts(w):
    return np.concatenate([np.maximum(w, w.dtype.type(0)), np.minimum(w, w.dtype.type(0))])


def swapped(z):
    return np.concatenate(np.split(z, 2)[::-1])


def frame(a):
    out = np.zeros((len(a), a.shape[1] + 2, a.shape[2] + 2), a.dtype)
    out[:, 1:-1, 1:-1] = a
    return out


def gather(padded, rows):
    views = np.lib.stride_tricks.sliding_window_view(padded[:, rows.start : rows.stop + 2], (3, 3), axis=(1, 2))
    return np.transpose(views, (0, 3, 4, 1, 2)).reshape(9 * len(padded), -1)


def strips(a, weight):
    """Some output rows at a time."""
    step = max(1, max(CHUNK, 4 * weight.size) // ((weight[0].size + 4 * len(weight)) * a.shape[2]))
    return [slice(first, min(first + step, a.shape[1])) for first in range(0, a.shape[1], step)]
