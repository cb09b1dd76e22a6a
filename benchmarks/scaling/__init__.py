"""What more machines would give: arithmetic on measured costs, and a simulation that checks it."""
