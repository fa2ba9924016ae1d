// What the shop's requests do: a tree of steps for each kind of request.

import type { Attribute } from '../src/api/types';

export const str = (key: string, value: string): Attribute => ({ key, type: 'string', value });
export const int = (key: string, value: number): Attribute => ({ key, type: 'int', value: String(value) });

export interface Step {
  service: string;
  name: string;
  kind: string;
  role: string;
  protocol?: string;
  peer?: string;
  /** Typical own time, ms. */
  ms: number;
  attributes?: Attribute[];
  children?: Step[];
  outcome?: string;
  failRate?: number;
  after?: boolean;
}

export const rpc = (client: string, server: string, method: string, ms: number, children: Step[] = [], failRate = 0.004): Step => ({
  service: client,
  name: method,
  kind: 'client',
  role: 'exit',
  protocol: 'grpc',
  peer: server,
  ms: ms * 0.12,
  attributes: [str('rpc.system.name', 'grpc'), str('rpc.method', method), str('server.address', server), int('server.port', 50051)],
  children: [
    {
      service: server,
      name: method,
      kind: 'server',
      role: 'entry',
      protocol: 'grpc',
      ms,
      attributes: [str('rpc.system.name', 'grpc'), str('rpc.method', method)],
      children,
      failRate,
    },
  ],
});
const dubbo = (client: string, server: string, method: string, ms: number, children: Step[] = []): Step => ({
  service: client,
  name: method,
  kind: 'client',
  role: 'exit',
  protocol: 'dubbo',
  peer: server,
  ms: ms * 0.1,
  attributes: [
    str('rpc.system', 'apache_dubbo'),
    str('rpc.method', method),
    str('server.address', `nacos://nacos:8848/shop.${server}.Api:1.0.0:`),
  ],
  children: [{ service: server, name: method, kind: 'server', role: 'entry', protocol: 'dubbo', ms, children, failRate: 0.01 }],
});
const http = (client: string, server: string, route: string, ms: number, children: Step[] = [], failRate = 0.01): Step => ({
  service: client,
  name: `${route.split(' ')[0]}`,
  kind: 'client',
  role: 'exit',
  protocol: 'http',
  peer: server,
  ms: ms * 0.15,
  attributes: [
    str('http.request.method', route.split(' ')[0] ?? 'GET'),
    str('url.full', `http://${server}:8080${route.split(' ')[1]}`),
    str('server.address', server),
  ],
  children: [
    {
      service: server,
      name: route,
      kind: 'server',
      role: 'entry',
      protocol: 'http',
      ms,
      failRate,
      children,
      attributes: [
        str('http.request.method', route.split(' ')[0] ?? 'GET'),
        str('http.route', route.split(' ')[1] ?? '/'),
        int('http.response.status_code', 200),
        str('user_agent.original', 'clew-demo/0.1'),
      ],
    },
  ],
});
export const sql = (service: string, system: string, namespace: string, statement: string, ms: number): Step => ({
  service,
  name: statement.split(' ').slice(0, 1).concat(namespace).join(' '),
  kind: 'client',
  role: 'exit',
  protocol: system,
  peer: `${system}/${namespace}`,
  ms,
  failRate: 0.003,
  attributes: [str('db.system.name', system), str('db.namespace', namespace), str('db.query.text', statement)],
});
const publish = (service: string, topic: string, consumer: string, children: Step[] = []): Step => ({
  service,
  name: `publish ${topic}`,
  kind: 'producer',
  role: 'exit',
  protocol: 'kafka',
  peer: topic,
  ms: 1.2,
  attributes: [str('messaging.system', 'kafka'), str('messaging.destination.name', topic)],
  children: [
    {
      service: consumer,
      name: `process ${topic}`,
      kind: 'consumer',
      role: 'entry',
      protocol: 'kafka',
      ms: 14,
      children,
      after: true,
      attributes: [str('messaging.system', 'kafka'), str('messaging.destination.name', topic), int('messaging.kafka.offset', 190_233)],
    },
  ],
});

const entry = (route: string, ms: number, children: Step[]): Step => ({
  service: 'gateway',
  name: route,
  kind: 'server',
  role: 'entry',
  protocol: 'http',
  ms,
  children,
  failRate: 0.012,
  attributes: [
    str('http.request.method', route.split(' ')[0] ?? 'GET'),
    str('http.route', route.split(' ')[1] ?? '/'),
    int('http.response.status_code', 200),
    str('client.address', '203.0.113.7'),
    {
      key: 'http.request.header.accept-language',
      type: 'array',
      value: [
        { type: 'string', value: 'zh-CN' },
        { type: 'string', value: 'en' },
      ],
    },
  ],
});

export const FLOWS: [number, Step][] = [
  [
    5,
    entry('GET /products', 3, [
      rpc('gateway', 'catalogue', 'shop.Catalogue/List', 9, [
        sql('catalogue', 'postgresql', 'catalogue', 'SELECT id, title, price FROM product WHERE category = $1 LIMIT 50', 6),
        sql('catalogue', 'redis', 'cache', 'GET product:list:17', 0.6),
      ]),
      rpc('gateway', 'recommend', 'shop.Recommend/ForUser', 22, [sql('recommend', 'redis', 'cache', 'MGET user:vec', 0.9)], 0.03),
    ]),
  ],
  [
    4,
    entry('GET /cart', 2, [
      dubbo('gateway', 'cart', 'shop.cart.Api/get', 6, [
        sql('cart', 'redis', 'cache', 'HGETALL cart:8841', 0.8),
        rpc('cart', 'catalogue', 'shop.Catalogue/Prices', 7, [
          sql('catalogue', 'postgresql', 'catalogue', 'SELECT price FROM product WHERE id = ANY($1)', 4),
        ]),
      ]),
    ]),
  ],
  [
    3,
    entry('POST /checkout', 4, [
      dubbo('gateway', 'order', 'shop.order.Api/place', 18, [
        dubbo('order', 'cart', 'shop.cart.Api/lock', 5, [sql('cart', 'redis', 'cache', 'SETNX lock:cart', 0.7)]),
        rpc(
          'order',
          'inventory',
          'shop.Inventory/Reserve',
          12,
          [
            sql('inventory', 'mysql', 'stock', 'UPDATE stock SET reserved = reserved + ? WHERE sku = ?', 9),
            sql('inventory', 'mysql', 'stock', 'INSERT INTO reservation (sku, n) VALUES (?, ?)', 5),
          ],
          0.02,
        ),
        rpc(
          'order',
          'payment',
          'shop.Payment/Charge',
          35,
          [
            {
              service: 'payment',
              name: 'POST',
              kind: 'client',
              role: 'exit',
              protocol: 'http',
              peer: 'api.bank.example',
              ms: 160,
              failRate: 0.05,
              outcome: 'timeout',
              attributes: [
                str('http.request.method', 'POST'),
                str('url.full', 'https://api.bank.example/v2/charges'),
                str('server.address', 'api.bank.example'),
              ],
            },
          ],
          0.03,
        ),
        sql('order', 'mysql', 'orders', 'INSERT INTO orders (user_id, total) VALUES (?, ?)', 8),
        publish('order', 'order-placed', 'shipping', [
          sql('shipping', 'postgresql', 'shipping', 'INSERT INTO parcel (order_id) VALUES ($1)', 5),
          http('shipping', 'notify', 'POST /mail', 11, []),
        ]),
      ]),
    ]),
  ],
  [
    2,
    entry('GET /orders/{id}', 2, [
      dubbo('gateway', 'order', 'shop.order.Api/get', 5, [sql('order', 'mysql', 'orders', 'SELECT * FROM orders WHERE id = ?', 3)]),
    ]),
  ],
  [
    1,
    entry('POST /login', 3, [
      http('gateway', 'auth', 'POST /token', 24, [sql('auth', 'postgresql', 'users', 'SELECT hash FROM account WHERE mail = $1', 3)], 0.08),
    ]),
  ],
];
