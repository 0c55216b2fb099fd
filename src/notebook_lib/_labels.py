"""Row labels of pandas tables: rows are matched by place, and that must be meant."""


def check_same_order(X, y):
    """Refuse a Series `y` whose row labels are those of `X` in another order.

    Parameters
    ----------
    X : DataFrame or array_like, shape (n, d)
        Rows.
    y : Series or array_like, shape (n,)
        Outcomes.

    Raises
    ------
    ValueError
        If both have the same labels, each once, in different orders: matched by
        place, each row would get the outcome of another.
    """
    if not (hasattr(X, "loc") and hasattr(y, "loc")) or len(X) != len(y):
        return
    rows, others = X.index, y.index
    if rows.equals(others) or not (rows.is_unique and others.is_unique):
        return
    if others.isin(rows).all():
        raise ValueError(
            "X and y have the same row labels in different orders: pass "
            "y.loc[X.index], or arrays"
        )
