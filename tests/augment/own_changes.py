"""Functions for the change `function`, as a user would write them."""


def dim(images, draw):
    factor = draw.uniform()[0]
    for _ in images:  # processes draw unlike numbers, which the changes after this one must not notice
        draw.uniform()
    return images * factor.view(-1, 1, 1, 1)


def whiten(images, draw):
    return images * 0 + 255
