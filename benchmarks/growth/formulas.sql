-- What follows from a row's number n, or from a record's id. The planner inlines all of these.
-- Placeholders in braces are filled in by rows.py; the schema is dropped when all is there.
CREATE FUNCTION seeding.users() RETURNS bigint IMMUTABLE RETURN {users};
CREATE FUNCTION seeding.products() RETURNS bigint IMMUTABLE RETURN {products};
CREATE FUNCTION seeding.coupons() RETURNS bigint IMMUTABLE RETURN {coupons};
CREATE FUNCTION seeding.charges() RETURNS bigint IMMUTABLE RETURN {charges};
CREATE FUNCTION seeding.issues() RETURNS bigint IMMUTABLE RETURN {issues};
CREATE FUNCTION seeding.orders() RETURNS bigint IMMUTABLE RETURN {orders};

-- Of so many turns, those of the one at this place among so many takers.
CREATE FUNCTION seeding.turns(all_of bigint, place bigint, takers bigint) RETURNS bigint
    IMMUTABLE RETURN (all_of - place + takers - 1) / takers;
-- Neighbours in time are none by id.
CREATE FUNCTION seeding.scattered(n bigint, among bigint) RETURNS bigint
    IMMUTABLE RETURN 1 + n * {step} % among;

-- Ids of records. Places in a cycle of twenty: charges 0 to 9, issues 10 to 13, orders 14 to 16,
-- their payments 17 to 19.
CREATE FUNCTION seeding.charge(n bigint) RETURNS bigint
    IMMUTABLE RETURN {first} + n / 10 * 20 + n % 10;
CREATE FUNCTION seeding.issue(n bigint) RETURNS bigint
    IMMUTABLE RETURN {first} + n / 4 * 20 + 10 + n % 4;
CREATE FUNCTION seeding.creation(n bigint) RETURNS bigint
    IMMUTABLE RETURN {first} + n / 3 * 20 + 14 + n % 3;
CREATE FUNCTION seeding.payment(n bigint) RETURNS bigint
    IMMUTABLE RETURN {first} + n / 3 * 20 + 17 + n % 3;
CREATE FUNCTION seeding.definition(coupon bigint) RETURNS bigint
    IMMUTABLE RETURN 1 + {products} + coupon;

CREATE FUNCTION seeding.id_of(record bigint) RETURNS text
    IMMUTABLE RETURN md5('record ' || record)::uuid::text;
CREATE FUNCTION seeding.at_ms(record bigint) RETURNS bigint
    IMMUTABLE RETURN {start_ms} + record * {span_ms} / {records};
CREATE FUNCTION seeding.moment(ms bigint) RETURNS text
    STABLE RETURN to_char(to_timestamp(ms / 1000.0) AT TIME ZONE 'UTC',
        'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
CREATE FUNCTION seeding.print_of(kind text, payload text) RETURNS bytea
    IMMUTABLE RETURN sha256(convert_to(kind, 'UTF8') || '\x00'::bytea
        || convert_to(payload, 'UTF8'));
CREATE FUNCTION seeding.base64_of(id bigint) RETURNS text
    IMMUTABLE RETURN encode(convert_to(id::text, 'UTF8'), 'base64');

-- Who orders was charged in the same cycle, so he has the money: this is which of the charges.
CREATE FUNCTION seeding.charge_before(n bigint) RETURNS bigint IMMUTABLE RETURN n / 3 * 10 + n % 3;
CREATE FUNCTION seeding.buyer(n bigint) RETURNS bigint
    IMMUTABLE RETURN scattered(charge_before(n), users());
CREATE FUNCTION seeding.holder(n bigint) RETURNS bigint
    IMMUTABLE RETURN CASE WHEN n < least({collected}, coupons()) THEN {collector}
        ELSE 1 + (n % coupons() * {step} + n / coupons()) % users() END;
-- Three of ten users order, and pay once after each charge; users are a multiple of ten.
CREATE FUNCTION seeding.paid_after(n bigint) RETURNS bigint
    IMMUTABLE RETURN CASE WHEN n % 10 < 3 THEN {price} ELSE 0 END;
CREATE FUNCTION seeding.left_by_charge(n bigint) RETURNS bigint
    IMMUTABLE RETURN (n / users() + 1) * {amount} - n / users() * paid_after(n);
CREATE FUNCTION seeding.left_by_payment(n bigint) RETURNS bigint
    IMMUTABLE RETURN (charge_before(n) / users() + 1) * ({amount} - {price});
