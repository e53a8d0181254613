"""How a table gets more rows: what has its height, and what has to grow along."""
