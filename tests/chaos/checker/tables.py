"""The tables that evidence is read into: dumped tables as they are, and what else was seen."""

# Rules read only these columns; whatever else a dump holds is passed over.
DUMPED: dict[str, tuple[str, ...]] = {
    "wallets": ("user_id", "balance"),
    "balance_entries": (
        "entry_id",
        "user_id",
        "command_id",
        "kind",
        "amount",
        "balance_after",
    ),
    "products": ("product_id", "stock"),
    "coupons": ("coupon_id", "coupon_code", "total", "issued"),
    "user_coupons": (
        "user_id",
        "coupon_id",
        "user_coupon_id",
        "coupon_code",
        "number",
        "used_at_ms",
        "order_id",
    ),
    "orders": (
        "order_id",
        "user_id",
        "status",
        "total_amount",
        "discount_amount",
        "payable_amount",
        "coupon_id",
        "expires_at_ms",
        "paid_at_ms",
        "cancelled_at_ms",
    ),
    "order_lines": ("order_id", "product_id", "position", "unit_price", "quantity"),
    "command_ids": ("principal", "command_id", "topic", "partition", "offset"),
}

READ: dict[str, str] = {
    # What clients did and were told. `slot` names what one idempotency key, or one request
    # without a key, can have led to at most once.
    "attempts": "number, channel, type, command_id, principal, slot, payload, sent_at_ms, "
    "done_at_ms, ack, status, code, body, topic, partition, offset",
    "asks": "number, command_id, sent_at_ms, done_at_ms, status, state, told_status, told_body",
    "poisons": "number, topic, partition, offset, key, value",
    # What the topics hold.
    "records": "topic, partition, offset, timestamp_ms, key, key_digest, value, command_id, "
    "type, payload",
    "results": "partition, offset, source_topic, source_partition, source_offset, command_id, "
    "status, body, value, replayed",
    "events": "topic, partition, offset, timestamp_ms, key, event_id, type, order_id, "
    "product_id, said, value, source_topic, source_partition, source_offset",
    "published_letters": "topic, partition, offset, key, value, reason",
    # What the database holds, where its columns are not compared as they are.
    "command_log": "id, topic, partition, offset, key, command_id, principal, type, payload, "
    "disposition, status, code, body, body_digest, accepted_at_ms",
    "dead_letters": "topic, partition, offset, key, value, reason",
    "snapshots": "at_ms, wallet_sum, entry_sum",
}

INDEXES = (
    "attempts(command_id)",
    "attempts(slot)",
    "asks(command_id)",
    "records(topic, partition, offset)",
    "results(source_topic, source_partition, source_offset)",
    "events(event_id)",
    "events(order_id)",
    "command_log(topic, partition, offset)",
    "command_log(command_id)",
    "command_log(id)",
    "balance_entries(command_id)",
    "balance_entries(user_id, entry_id)",
    "orders(order_id)",
    "order_lines(order_id)",
    "user_coupons(user_id, coupon_id)",
    "dead_letters(topic, partition, offset)",
    "published_letters(topic, partition, offset)",
    "poisons(topic, partition, offset)",
    "command_ids(command_id)",
)


def statements() -> list[str]:
    """List what makes the empty tables. No types: values stay as the evidence has them."""
    columns = {name: ", ".join(listed) for name, listed in DUMPED.items()} | READ
    return [f"CREATE TABLE {name} ({listed})" for name, listed in columns.items()]


def width(table: str) -> int:
    """Return the number of a table's columns."""
    return len(DUMPED[table]) if table in DUMPED else READ[table].count(",") + 1
