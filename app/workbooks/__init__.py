"""Lists that people keep in files: read as they are, mapped to our fields, given back with a verdict.

No database and no HTTP: a file and a mapping go in, values and problems come out.

    table = reading.read(path, kind="members")           # the lists as one: columns, rows, parts
    guesses = proposals.propose(table, "members")          # field -> Proposal(column, score, why)
    mapping = {field: guess.column for field, guess in guesses.items()}
    taken = rows.take(table, mapping, "members")         # one TakenRow for each row
    writing.write_back(path, table, verdicts, target)    # their own file, and what became of it
"""
