"""The cells of notebook.ipynb as a script, which leaves its pictures in the folder it is run in.

python examples/notebook.py
"""

# %% [markdown]
# # Drawing in a notebook
#
# `load` opens the model that comes with the program, or any other: `sk.load("runs/cat")`.

# %%
import sketchrnn_cli as sk

model = sk.load()
model

# %% [markdown]
# What a model draws shows itself. The same seed gives the same drawings, and those of
# `sketchrnn sample cat -n 9`.

# %%
cats = model.sample("cat", n=9)
cats.save("cats.svg")
cats

# %% [markdown]
# One of them, and what is known about it:

# %%
print(cats[3].extras)
cats[3]

# %% [markdown]
# A prompt can count, list and mix. Temperature is how far chance goes.

# %%
model.sample("two owls, a pig and an ice cream", temperature=0.2)

# %%
model.sample("cat:0.6 + owl:0.4", n=4, seed=2)

# %% [markdown]
# On the way from one thing to another, latent and word change and chance stays.

# %%
way = model.sample("cat -> pig", frames=8, temperature=0.1)
way.save("way.png")
way

# %% [markdown]
# `morph=True` lets one drawing turn into the next; without it, the pen draws.

# %%
way.animate(morph=True).save("way.gif")
cats[:4].animate(size=120, fps=12)

# %% [markdown]
# Begin a drawing yourself, and let the model finish it, several times. Points are x, y in
# pixels, y grows downwards. Drawings on disk are begun as well: `sk.read("begun.ndjson")`.

# %%
ears = [(40, 120), (50, 20), (95, 60), (150, 60), (195, 20), (205, 120)]
begun = sk.from_strokes([ears], "cat")
finished = model.complete(begun, n=8, temperature=0.3)
sk.Drawings([begun, *finished])

# %% [markdown]
# Every drawing has a latent, a point that stands for it, from which the model draws it again.
# Between the latents of two drawings lie others.

# %%
mu, sigma = model.encode(cats)
print(mu.shape)
cats[:3] + model.decode(mu[:3], cats.words[:3])

# %%
model.interpolate(cats[0], cats[5], frames=8, temperature=0.1)

# %% [markdown]
# How likely does the model find a drawing? The first one it likes best, the last one least.

# %%
liking = model.score(cats).per_prediction
order = liking.argsort()[::-1]
print(liking[order].round(2))
sk.Drawings(cats[k] for k in order)

# %% [markdown]
# Drawings go to files of every kind, and come back from them.

# %%
cats.save("cats.ndjson")
sk.read("cats.ndjson", n=4)
