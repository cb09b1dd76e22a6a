# 1. Charge a balance
curl -sw '\n' -H 'Content-Type: application/json' \
  http://127.0.0.1:8080/api/v1/balance/charge -d '{"userId": 7, "amount": 100000}'

# 2. Read it
curl -sw '\n' 'http://127.0.0.1:8080/api/v1/balance?userId=7'

# 3. Issue a coupon: first come, first served
curl -sw '\n' -H 'Content-Type: application/json' \
  http://127.0.0.1:8080/api/v1/coupons/issue -d '{"userId": 7, "couponCode": "WELCOME"}'

# 4. List the user's coupons
COUPONS=$(curl -s 'http://127.0.0.1:8080/api/v1/coupons?userId=7'); echo "$COUPONS"

# 5. Create an order: a preview, nothing is reserved yet
ORDER=$(curl -s -H 'Content-Type: application/json' \
  http://127.0.0.1:8080/api/v1/orders -d '{"userId": 7,
  "items": [{"productId": 1, "quantity": 2}, {"productId": 2, "quantity": 1}],
  "couponId": "'$(expr "$COUPONS" : '.*"couponId":"\([^"]*\)')'"}'); echo "$ORDER"

# 6. Pay it
curl -sw '\n' -H 'Content-Type: application/json' \
  http://127.0.0.1:8080/api/v1/orders/pay \
  -d '{"userId": 7, "orderId": "'$(expr "$ORDER" : '.*"orderId":"\([^"]*\)')'"}'

# 7. The best sellers of the last three days
sleep 1  # a sale is counted within a second of its payment
curl -sw '\n' http://127.0.0.1:8080/api/v1/products/top

# 8. The ranking that is made every midnight, made now
fairline ranking run-batch
