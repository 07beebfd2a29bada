"""Columns that say which pictures belong together: of one patient, driver, lesion."""

from collections.abc import Sequence
from dataclasses import dataclass

from darkroom.base.words import counted
from darkroom.intake.table_columns import Key
from darkroom.tools.label_sources import Part, Source, rows_of
from darkroom.tools.label_tables import NamingTable, counts, finer, same

PER_GROUP = 1.05  # pictures, on average, from which on a group is one


@dataclass(frozen=True)
class GroupColumn:
    """A column of groups."""

    table: NamingTable
    key: Key
    values: tuple[str | None, ...]  # of the paths of the part

    @property
    def because(self) -> str:
        groups = counts(self.table.values(self.key))
        most = max(groups.values())
        of_groups = f"{counted(len(groups), 'value')} in {counted(groups.total(), 'row')}, {most:,} at most of one"
        return f"its name says it, and its values repeat: {of_groups}"


def group_columns(part: Part, tables: Sequence[NamingTable], labels: Source) -> list[GroupColumn]:
    """The columns of groups, the widest first: of a patient and of a lesion, that of the patient."""
    found = []
    for table in tables:
        columns = [one for one in table.columns if one.says_group and one.kind != "nothing"]
        rows = rows_of(part, table) if columns else None
        if rows is None:
            continue
        for column in columns:
            values = table.values(column.key)
            own = tuple(values[row] if row >= 0 else None for row in rows)
            groups = counts(own)
            repeats = len(table.table) >= PER_GROUP * column.different  # of a part one sees some pictures alone
            if repeats and len(groups) > 1 and not same(own, labels.labels):
                found.append(GroupColumn(table, column.key, own))
    found.sort(key=lambda one: len(counts(one.values)))
    return found


def nested(columns: Sequence[GroupColumn]) -> bool:
    """Whether the groups of each narrower column lie within those of the widest."""
    return all(finer(one.values, columns[0].values) for one in columns[1:])
