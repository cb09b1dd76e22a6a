-- A statement for each table, and for each kind of record. It takes the numbers n from $1 up to,
-- not including, $2; the line before it says what it makes, and how many numbers there are.

-- wallets: users
INSERT INTO wallets (user_id, balance)
SELECT scattered(n, users()), turns(charges(), n, users()) * ({amount} - paid_after(n))
FROM generate_series($1::bigint, $2::bigint - 1) AS n;

-- products: products
INSERT INTO products (product_id, name, price, stock)
SELECT scattered(n, products()), 'Product ' || scattered(n, products()), {price},
    {stock} - turns(orders(), n, products())
FROM generate_series($1::bigint, $2::bigint - 1) AS n;

-- coupons: coupons
INSERT INTO coupons (coupon_id, coupon_code, total, issued, discount_amount)
SELECT id_of(definition(n)), 'C' || n, {total}, turns(issues(), n, coupons()), {discount}
FROM generate_series($1::bigint, $2::bigint - 1) AS n;

-- entries of charges: charges
INSERT INTO balance_entries
    (entry_id, user_id, command_id, kind, amount, balance_after, recorded_at_ms)
SELECT charge(n), scattered(n, users()), id_of(charge(n)), 'CHARGE', {amount},
    left_by_charge(n), at_ms(charge(n))
FROM generate_series($1::bigint, $2::bigint - 1) AS n;

-- entries of payments: orders
INSERT INTO balance_entries
    (entry_id, user_id, command_id, kind, amount, balance_after, recorded_at_ms)
SELECT payment(n), buyer(n), id_of(payment(n)), 'PAYMENT', -{price},
    left_by_payment(n), at_ms(payment(n))
FROM generate_series($1::bigint, $2::bigint - 1) AS n;

-- copies of coupons: issues
INSERT INTO user_coupons
    (user_id, coupon_id, user_coupon_id, coupon_code, number, discount_amount, issued_at_ms)
SELECT holder(n), id_of(definition(n % coupons())), id_of(issue(n)), 'C' || n % coupons(),
    n / coupons() + 1, {discount}, at_ms(issue(n))
FROM generate_series($1::bigint, $2::bigint - 1) AS n;

-- orders: orders
INSERT INTO orders (order_id, user_id, status, total_amount, discount_amount, payable_amount,
    created_at_ms, expires_at_ms, paid_at_ms)
SELECT id_of(creation(n)), buyer(n), 'PAID', {price}, 0, {price},
    at_ms(creation(n)), at_ms(creation(n)) + 900000, at_ms(payment(n))
FROM generate_series($1::bigint, $2::bigint - 1) AS n;

-- lines of orders: orders
INSERT INTO order_lines (order_id, product_id, position, unit_price, quantity)
SELECT id_of(creation(n)), scattered(n, products()), 0, {price}, 1
FROM generate_series($1::bigint, $2::bigint - 1) AS n;

-- records that define products: products
{log}
SELECT n + 1 AS id, 'catalog-commands' AS topic, n + 1 AS line, (n + 1)::text AS key,
    'operator' AS principal, 'DefineProduct' AS kind, said AS payload, said AS body,
    NULL AS events
FROM generate_series($1::bigint, $2::bigint - 1) AS n CROSS JOIN LATERAL (
    SELECT format('{{"productId":%s,"name":"Product %s","price":{price},"stock":{stock}}}',
        n + 1, n + 1)
) AS s(said)
{logged};

-- records that define coupons: coupons
{log}
SELECT definition(n) AS id, 'coupon-commands' AS topic, n AS line, 'C' || n AS key,
    'operator' AS principal, 'DefineCoupon' AS kind,
    format('{{"couponCode":"C%s","total":{total},"discountAmount":{discount},"validFrom":null,'
        '"validUntil":null}}', n) AS payload,
    format('{{"couponId":"%s","couponCode":"C%s","total":{total},"issued":0,'
        '"discountAmount":{discount},"validFrom":null,"validUntil":null}}',
        id_of(definition(n)), n) AS body,
    NULL AS events
FROM generate_series($1::bigint, $2::bigint - 1) AS n
{logged};

-- records of charges: charges
{log}
SELECT charge(n) AS id, 'user-commands' AS topic, who AS line, who::text AS key,
    who::text AS principal, 'ChargeBalance' AS kind,
    format('{{"userId":%s,"amount":{amount}}}', who) AS payload,
    format('{{"userId":%s,"chargedAmount":{amount},"balance":%s}}',
        who, left_by_charge(n)) AS body,
    NULL AS events
FROM generate_series($1::bigint, $2::bigint - 1) AS n
CROSS JOIN LATERAL (SELECT scattered(n, users())) AS w(who)
{logged};

-- records of issues: issues
{log}
SELECT issue(n) AS id, 'coupon-commands' AS topic, n % coupons() AS line, code AS key,
    who::text AS principal, 'IssueCoupon' AS kind,
    format('{{"userId":%s,"couponCode":"%s"}}', who, code) AS payload,
    format('{{"userCouponId":"%s","userId":%s,"couponId":"%s","couponCode":"%s","number":%s,'
        '"discountAmount":{discount},"issuedAt":"%s"}}',
        id_of(issue(n)), who, id_of(definition(n % coupons())), code, n / coupons() + 1,
        moment(at_ms(issue(n)))) AS body,
    NULL AS events
FROM generate_series($1::bigint, $2::bigint - 1) AS n
CROSS JOIN LATERAL (SELECT holder(n), 'C' || n % coupons()) AS w(who, code)
{logged};

-- records of orders: orders
{log}
SELECT creation(n) AS id, 'user-commands' AS topic, who AS line, who::text AS key,
    who::text AS principal, 'CreateOrder' AS kind,
    format('{{"userId":%s,"items":[{{"productId":%s,"quantity":1}}],"couponId":null}}',
        who, bought) AS payload,
    format('{{"orderId":"%s","userId":%s,"items":[{{"productId":%s,"unitPrice":{price},'
        '"quantity":1,"amount":{price}}}],"totalAmount":{price},"discountAmount":0,'
        '"payableAmount":{price},"status":"PENDING","couponId":null,"createdAt":"%s",'
        '"expiresAt":"%s","paidAt":null,"cancelledAt":null}}',
        id_of(creation(n)), who, bought, moment(at_ms(creation(n))),
        moment(at_ms(creation(n)) + 900000)) AS body,
    NULL AS events
FROM generate_series($1::bigint, $2::bigint - 1) AS n
CROSS JOIN LATERAL (SELECT buyer(n), scattered(n, products())) AS w(who, bought)
{logged};

-- records of payments: orders
{log}
SELECT payment(n) AS id, 'user-commands' AS topic, who AS line, who::text AS key,
    who::text AS principal, 'PayOrder' AS kind,
    format('{{"userId":%s,"orderId":"%s"}}', who, order_id) AS payload,
    format('{{"orderId":"%s","userId":%s,"status":"PAID","paidAmount":{price},"balance":%s,'
        '"paidAt":"%s"}}', order_id, who, left_by_payment(n), paid_at) AS body,
    format('[{{"topic":"order-events","key":"%1$s","value":{{"eventId":"%2$s:0",'
        '"type":"OrderPaid","orderId":"%3$s","userId":%4$s,"items":[{{"productId":%5$s,'
        '"unitPrice":{price},"quantity":1,"amount":{price}}}],"totalAmount":{price},'
        '"discountAmount":0,"paidAmount":{price},"couponId":null,"paidAt":"%6$s","source":%7$s}}}},'
        '{{"topic":"product-sales","key":"%8$s","value":{{"eventId":"%2$s:1",'
        '"type":"SaleRecorded","orderId":"%3$s","productId":%5$s,"quantity":1,"soldAt":"%6$s",'
        '"source":%7$s}},"timestampMs":%9$s}}]',
        base64_of(who), id_of(payment(n)), order_id, who, bought, paid_at, source,
        base64_of(bought), at_ms(payment(n))) AS events
FROM generate_series($1::bigint, $2::bigint - 1) AS n
CROSS JOIN LATERAL (SELECT buyer(n), scattered(n, products()), id_of(creation(n)),
    moment(at_ms(payment(n)))) AS w(who, bought, order_id, paid_at)
CROSS JOIN LATERAL (SELECT format('{{"epoch":0,"topic":"user-commands","partition":%s,'
    '"offset":%s}}', who % 8, payment(n))) AS s(source)
{logged};
