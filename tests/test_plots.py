"Figures, by the data that they draw."
import matplotlib; matplotlib.use('agg')
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from plurality_nb.plots import plot_objective_map


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close('all')


def differences(mean, p=None, n=20, names=('pairs', 'fidelity', 'votes')):
    mean = np.asarray(mean, dtype=float) # (pairs, fidelity, votes)
    index = pd.MultiIndex.from_product([[100*(k+1) for k in range(s)] for s in mean.shape], names=names[-mean.ndim:])
    return pd.DataFrame(dict(mean=mean.ravel(), p=1. if p is None else np.asarray(p, dtype=float).ravel(), n=n), index)


def test_objective_map_draws_the_table_in_its_own_order():
    table = differences(np.arange(12).reshape(2, 2, 3)/100).iloc[[9, 11, 10, *range(9)]] # not sorted
    ax = plot_objective_map(table)
    drawn = np.asarray(ax.images[0].get_array()); rows,columns = ([t.get_text() for t in ts] for ts in (ax.get_yticklabels(), ax.get_xticklabels()))
    assert columns==['100', '300', '200'] and rows[0]=='200, 200'
    for (a,b,c),v in table['mean'].items(): assert drawn[rows.index(f'{a:,}, {b:,}'), columns.index(f'{c:,}')]==v
    assert [t.get_text() for t in ax.texts]==[f'{v:+.3f}' for v in drawn.ravel()]


def test_objective_map_is_centred_at_zero_and_ends_where_told():
    table = differences([[-.3, .1]])
    assert plot_objective_map(table).images[0].get_clim()==(-.3, .3)
    ax = plot_objective_map(table, limit=.2); image = ax.images[0]
    assert image.get_clim()==(-.2, .2) and image.colorbar.extend=='both'
    low,middle,high = (np.array(image.cmap(image.norm(x)))[:3] for x in (-.2, 0, .2))
    assert middle.min()>.95 and low[0]>low[2] and high[2]>high[0] # no colour at zero, warm below, cool above
    assert plot_objective_map(differences([[0, 0]])).images[0].get_clim()==(-1, 1)


def test_objective_map_dots_only_what_stands_after_correction():
    table = differences([[.1, .1], [-.1, 0]], [[.049, .05], [.001, np.nan]])
    assert plot_objective_map(table).collections[0].get_offsets().round().tolist()==[[0, 0], [0, 1]]
    assert plot_objective_map(table, level=.01).collections[0].get_offsets().round().tolist()==[[0, 1]]


def test_objective_map_leaves_out_what_is_missing():
    table = differences([[.1, .2], [.3, .4]]).drop(index=(100, 200))
    ax = plot_objective_map(table)
    assert np.ma.getmaskarray(ax.images[0].get_array()).sum()==1 and len(ax.texts)==3


def test_objective_map_says_units_and_numbers():
    one,two = differences(np.zeros((1, 2, 2))),differences(np.zeros((1, 2, 2)), n=[20, 20, 18, 20])
    ax = plot_objective_map(one); label = ax.images[0].colorbar.ax.get_ylabel()
    assert label=='difference in Spearman correlation\n(mean of 20 seeds)'
    assert ax.get_xlabel()=='votes' and ax.get_ylabel()=='pairs, fidelity'
    assert '(mean of 18 to 20 splits)' in plot_objective_map(two, of='splits').images[0].colorbar.ax.get_ylabel()


def test_objective_map_wants_rows_and_columns():
    with pytest.raises(ValueError, match='an index of two or more levels'): plot_objective_map(differences([.1, .2]))


def test_objective_map_takes_an_axes():
    fig,axs = plt.subplots(1, 2)
    assert plot_objective_map(differences([[.1]]), axs[1]) is axs[1] and not axs[0].images
