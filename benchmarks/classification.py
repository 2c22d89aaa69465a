"""How many assessments a second one core classifies, each with all its reasons.

python -m benchmarks.classification [count]
"""

import random
import sys
import time
from datetime import date

from app.models.kernel.units import AreaType
from app.services.poverty.classification import Facts, classify
from app.services.poverty.standards import catalogue


def measure(count: int) -> float:
    rules = catalogue().on(date(2025, 10, 1))
    chance = random.Random(1)
    facts = [
        Facts(
            chance.choice(list(AreaType)),
            chance.randrange(0, 5_000_000),
            None,
            {code: chance.random() < 0.2 for code in rules.codes},
        )
        for _ in range(1_000)
    ]
    began = time.process_time()
    for n in range(count):
        classify(rules, facts[n % 1_000])
    return count / (time.process_time() - began)


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print(f"{count:,} assessments: {measure(count):,.0f} a second")
